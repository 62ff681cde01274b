"""What weights cost to store within a largest error: the limit, a plain quantiser, tickets, what others published."""
