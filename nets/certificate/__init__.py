"""How far a pruned network can be, and is, from its target: proved brackets, measured differences."""

from nets.certificate.bracket import (
    DOMAINS,
    Certificate,
    CertificateBatch,
    LayerBound,
    certify,
    certify_batch,
)
from nets.certificate.convolution import convolution_norm_upper
from nets.certificate.domain import Domain
from nets.certificate.enumeration import decide, exact_bracket
from nets.certificate.half_split import half_split
from nets.certificate.network import NetworkCertificate, certify_network
from nets.certificate.norms import first_layer_sup, spectral_norm_upper

__all__ = [
    "DOMAINS",
    "Certificate",
    "CertificateBatch",
    "Domain",
    "LayerBound",
    "NetworkCertificate",
    "certify",
    "certify_batch",
    "certify_network",
    "convolution_norm_upper",
    "decide",
    "exact_bracket",
    "first_layer_sup",
    "half_split",
    "spectral_norm_upper",
]
