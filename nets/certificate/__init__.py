"""Certified bracket for sup ||f(x) - g_M(x)||_2 between a target and one built network."""

from nets.certificate.bracket import (
    DOMAINS,
    Certificate,
    CertificateBatch,
    LayerBound,
    certify,
    certify_batch,
    first_layer_sup,
    spectral_norm_upper,
)

__all__ = [
    "DOMAINS",
    "Certificate",
    "CertificateBatch",
    "LayerBound",
    "certify",
    "certify_batch",
    "first_layer_sup",
    "spectral_norm_upper",
]
