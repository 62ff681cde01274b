"""Models of torchvision, timm and transformers at tiny sizes: each is right or refused, none is silently wrong.

Nothing is downloaded: all are built from their configurations.
"""

from __future__ import annotations

import functools
import importlib.util

import pytest
import torch

from tests.nets.zoo_oracle import verdict

pytestmark = pytest.mark.filterwarnings("ignore")  # of the packages; those of find_tickets are looked at by verdict


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"needs {package}")


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


IDS = torch.randint(5, 60, (2, 9), generator=torch.Generator().manual_seed(0))


def on_image(size):
    return lambda model: model(drawn(2, 3, size, size))


def judged(build, call, wanted, **options):
    found = verdict(build, call, **options)
    assert found == "right" if wanted == "right" else wanted in found, found


# torchvision: arguments of the classes, or the name of a small ready one

SWIN = {"patch_size": [4, 4], "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": [4, 4]}
VISION = {
    "mobilenet_v2": 32, "mobilenet_v3_small": 32, "shufflenet_v2_x0_5": 32, "squeezenet1_1": 32,
    "mnasnet0_5": 32, "regnet_x_400mf": 32,
}  # fmt: skip


@needs("torchvision")
@pytest.mark.parametrize("name", VISION)
def test_convolutions_of_torchvision(name):
    import torchvision

    build = functools.partial(getattr(torchvision.models, name), weights=None, num_classes=3)
    judged(build, on_image(VISION[name]), "right")


def tiny_vision(name):
    from torchvision.models import densenet, maxvit, resnet, swin_transformer, vision_transformer

    swin, parts = swin_transformer.SwinTransformer, swin_transformer
    return {
        "resnet": lambda: resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1], num_classes=3, width_per_group=8, groups=2),
        "densenet": lambda: densenet.DenseNet(8, (2, 2), 16, num_classes=3),
        "vit": lambda: vision_transformer.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3),
        "swin": lambda: swin(**SWIN, num_classes=3),
        "swin v2": lambda: swin(
            **SWIN, num_classes=3, block=parts.SwinTransformerBlockV2, downsample_layer=parts.PatchMergingV2
        ),
        "maxvit": lambda: maxvit.MaxVit((64, 64), 8, 4, [8, 16], [1, 1], 8, 0.0, num_classes=3),
    }[name]


@needs("torchvision")
@pytest.mark.parametrize("name", ["resnet", "densenet", "vit", "swin", "swin v2", "maxvit"])
def test_tiny_models_of_torchvision(name):
    judged(tiny_vision(name), on_image(32 if name == "vit" else 64), "right")


# timm: a name, the input's side, and what makes it tiny

_VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
_SWIN = {"img_size": 64, "window_size": 4, "embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4)}
_CONV = {"depths": (1, 1, 1, 1), "dims": (8, 8, 16, 16)}
TIMM = {
    **dict.fromkeys(
        [
            "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "beit_base_patch16_224",
            "beitv2_base_patch16_224", "eva02_tiny_patch14_224", "vit_small_patch16_dinov3",
            "vit_base_patch16_siglip_224", "vit_small_patch14_reg4_dinov2", "vit_relpos_small_patch16_224",
            "cait_xxs24_224", "xcit_nano_12_p16_224",
        ],
        (32, _VIT),
    ),
    "swin_tiny_patch4_window7_224": (64, _SWIN),
    "swinv2_tiny_window8_256": (64, _SWIN),
    "swinv2_cr_tiny_224": (64, _SWIN),
    "convnext_atto": (32, _CONV),
    "convnextv2_atto": (32, _CONV),
    "pit_ti_224": (64, {"img_size": 64}),
    "mobilevit_xxs": (64, {}),
    "lcnet_050": (32, {}),
    "regnety_002": (32, {}),
    "repvgg_a0": (32, {}),
    "test_nfnet": (64, {}),
    "ghostnet_100": (32, {}),
    "mobilenetv4_conv_small": (32, {}),
}  # fmt: skip


@needs("timm")
@pytest.mark.parametrize("name", TIMM)
def test_models_of_timm(name):
    import timm

    size, options = TIMM[name]
    judged(functools.partial(timm.create_model, name, num_classes=3, **options), on_image(size), "right")


@needs("timm")
@pytest.mark.parametrize("block", ["MixerBlock", "ResBlock", "SpatialGatingBlock"])
def test_mixers_of_timm(block):
    from timm.models import mlp_mixer

    options = {"img_size": 32, "patch_size": 8, "num_blocks": 2, "embed_dim": 32, "num_classes": 3}
    if block == "ResBlock":
        options["mlp_ratio"] = 4
    if block == "SpatialGatingBlock":
        options |= {"mlp_ratio": 2, "mlp_layer": mlp_mixer.GatedMlp}
    judged(lambda: mlp_mixer.MlpMixer(**options, block_layer=getattr(mlp_mixer, block)), on_image(32), "right")


# transformers: class, configuration, input

_TEXT = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "max_position_embeddings": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_GPT2 = {"vocab_size": 64, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 2, "bos_token_id": 1}
_BOTH = {
    "vocab_size": 64, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 32,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip
_T5 = {"vocab_size": 64, "d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 1, "num_heads": 2}
_EYES = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
_WINDOWS = {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4}
_SOUND = {
    **_TEXT, "conv_dim": [16, 16], "conv_stride": [5, 4], "conv_kernel": [10, 8], "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "mask_time_prob": 0.0, "layerdrop": 0.0,
}  # fmt: skip
_WHISPER = {
    **{key: value for key, value in _BOTH.items() if key != "max_position_embeddings"}, "num_mel_bins": 8,
    "max_source_positions": 20, "max_target_positions": 20,
}  # fmt: skip
_GROUPED = {**_TEXT, "num_key_value_heads": 1, "head_dim": 16}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 24, "num_experts": 4, "num_local_experts": 4}


def of_text(model):
    return model(input_ids=IDS)


def of_both(model):
    return model(input_ids=IDS, decoder_input_ids=IDS[:, :5])


def of_image(model):
    return model(pixel_values=drawn(2, 3, 32, 32))


def of_image_and_text(model):
    return model(input_ids=IDS, pixel_values=drawn(2, 3, 32, 32))


def of_sound(model):
    return model(input_values=drawn(2, 2000))


def of_spectrum(model):
    return model(input_features=drawn(2, 8, 40), decoder_input_ids=IDS[:, :5])


EXPERTS = " % of the weights would stay dense: model.layers.0.mlp."
TRANSFORMERS = [
    ("BertForMaskedLM", _TEXT, of_text, "right"),
    ("RobertaForMaskedLM", _TEXT, of_text, "right"),
    ("AlbertForMaskedLM", {**_TEXT, "embedding_size": 16}, of_text, "right"),
    ("ElectraForMaskedLM", {**_TEXT, "embedding_size": 16}, of_text, "right"),
    ("DistilBertForMaskedLM", {"vocab_size": 64, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48}, of_text,
     "right"),
    ("DebertaV2ForMaskedLM", {**_TEXT, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, of_text, "right"),
    ("GPT2LMHeadModel", _GPT2, of_text, "right"),
    ("GPTNeoForCausalLM", {"vocab_size": 64, "hidden_size": 32, "num_layers": 2, "num_heads": 2,
                           "attention_types": [[["global", "local"], 1]]}, of_text, "right"),
    ("GPTNeoXForCausalLM", _TEXT, of_text, "right"),
    ("OPTForCausalLM", {**_TEXT, "ffn_dim": 48, "word_embed_proj_dim": 32}, of_text, "right"),
    ("BloomForCausalLM", {"vocab_size": 64, "hidden_size": 32, "n_layer": 2, "n_head": 2}, of_text, "right"),
    ("FalconForCausalLM", _TEXT, of_text, "right"),
    ("LlamaForCausalLM", _GROUPED, of_text, "right"),
    ("MistralForCausalLM", _GROUPED, of_text, "right"),
    ("Gemma2ForCausalLM", _GROUPED, of_text, "right"),
    ("MixtralForCausalLM", {**_GROUPED, **_EXPERTS}, of_text, EXPERTS),
    ("Qwen2MoeForCausalLM", {**_GROUPED, **_EXPERTS}, of_text, EXPERTS),
    ("MambaForCausalLM", {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}, of_text,
     "A_log (of a transformers.models.mamba.modeling_mamba.MambaMixer, which is no known layer)"),
    ("T5ForConditionalGeneration", {**_T5, "decoder_start_token_id": 0}, of_both, "right"),
    ("BartForConditionalGeneration", _BOTH, of_both, "right"),
    ("ViTForImageClassification", _EYES, of_image, "right"),
    ("DeiTForImageClassification", _EYES, of_image, "right"),
    ("BeitForImageClassification", _EYES, of_image, "right"),
    ("Dinov2ForImageClassification", _EYES, of_image, "right"),
    ("SwinForImageClassification", _WINDOWS, of_image, "right"),
    ("Swinv2ForImageClassification", _WINDOWS, of_image, "right"),
    ("ConvNextForImageClassification", {"hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1]}, of_image, "right"),
    ("CLIPModel", {"text_config": _TEXT, "vision_config": _EYES, "projection_dim": 16}, of_image_and_text, "right"),
    ("Wav2Vec2ForCTC", _SOUND, of_sound, "the layer's weight is computed from it"),
    ("WhisperForConditionalGeneration", _WHISPER, of_spectrum, "right"),
]  # fmt: skip


@needs("transformers")
@pytest.mark.parametrize(("name", "options", "call", "wanted"), TRANSFORMERS, ids=[row[0] for row in TRANSFORMERS])
def test_models_of_transformers(name, options, call, wanted):
    judged(of_transformers(name, options), call, wanted)


def of_transformers(name, options):
    import transformers

    kind = getattr(transformers, name)
    return lambda: kind(kind.config_class(**options))


@needs("transformers")
def test_more_than_the_default_can_be_masked():
    judged(of_transformers("GPT2LMHeadModel", _GPT2), of_text, "right", embeddings=True)
    weights = {"*gate_up_proj": 2, "*down_proj": 2, "*.gate": 1}
    judged(of_transformers("MixtralForCausalLM", {**_GROUPED, **_EXPERTS}), of_text, "right", weights=weights)


@needs("transformers")
@pytest.mark.parametrize("embeddings", [False, True])
def test_a_state_of_a_tied_model_leaves_pruned(tmp_path, embeddings):
    import transformers

    from nets.search import find_tickets

    model = of_transformers("GPT2LMHeadModel", _GPT2)().eval()
    find_tickets(model, embeddings=embeddings)
    model.save_pretrained(tmp_path)
    again, told = transformers.GPT2LMHeadModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not told["missing_keys"]
    assert len(told["unexpected_keys"]) == 3 * (8 + 2 * embeddings)
    assert again.lm_head.weight is again.transformer.wte.weight
    assert float((again.transformer.h[0].mlp.c_fc.weight == 0).double().mean()) == 0.5
    assert float((again.lm_head.weight == 0).double().mean()) == 0.5 * embeddings
    assert torch.equal(again(IDS).logits, model(IDS).logits)
