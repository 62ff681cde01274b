"""Networks: gadgets for one weight, widths of the main theorem, and its corner."""
