"""Maps in bands of rows: what the plain layers give, whatever the height of a band."""

from itertools import pairwise

import pytest

torch = pytest.importorskip("torch", reason="the network needs torch")

from sapiens2_avatar.infer import HeadConfig  # noqa: E402
from sapiens2_avatar.infer.model import backbone, bands  # noqa: E402
from sapiens2_avatar.infer.model.heads import make_head  # noqa: E402
from sapiens2_avatar.infer.model.layers import Conv2d, ConvTranspose2d  # noqa: E402


def plain(x):
    return torch.nn.functional.silu(torch.nn.functional.instance_norm(x, eps=1e-5))


@pytest.fixture(params=[7, 40, 1 << 15])
def some_cells(request, monkeypatch):
    """Bands of a row, of several rows with a smaller one at the end, and one for all."""
    monkeypatch.setattr(bands, "CELLS_AT_ONCE", request.param)


def random_map(channels, rows=11, columns=7):
    x = 3 + torch.randn(1, channels, rows, columns, generator=torch.Generator().manual_seed(3))
    return x.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def test_norm_and_silu(some_cells):
    x = random_map(6)
    torch.testing.assert_close(bands.norm_and_silu_(x.clone()), plain(x), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_statistics_of_bands_that_differ(some_cells):
    """The background above and a person below: each band has another mean."""
    x = random_map(4) + torch.linspace(-50, 50, 11)[:, None]
    found = bands.ChannelStatistics.of(x)
    variance, mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
    torch.testing.assert_close(found.mean.double(), mean, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(found.variance.double(), variance, atol=1e-3, rtol=1e-4)


@torch.inference_mode()
def test_upsampling(some_cells):
    layer = ConvTranspose2d(6, 4, 4, stride=2, padding=1, bias=False)
    x = random_map(6)
    torch.testing.assert_close(bands.upsampled(x, layer), layer(x), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("channels", [(), (6,), (6, 6), (3,), (12,), (9, 4, 12)])
def test_refinement(some_cells, channels):
    """Maps that are written over the one before, smaller ones, larger ones, and a last one that is made twice."""
    torch.manual_seed(1)
    plan = (6, *channels)
    convolutions = [Conv2d(before, after, 1) for before, after in pairwise(plan)]
    predictor, x = Conv2d(plan[-1], 5, 1), random_map(6)
    wanted = plain(x)
    for convolution in convolutions:
        wanted = plain(convolution(wanted))
    got = bands.refined_by_cell(x, convolutions, predictor)
    torch.testing.assert_close(got, predictor(wanted), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_head_in_16_bits_is_its_layers(some_cells):
    """Both round to bfloat16 between the layers, and see the images of a batch apart."""
    torch.manual_seed(2)
    head = make_head(16, HeadConfig("seg", (12, 8), (8, 8)), (5, 4)).eval()
    features = torch.randn(2, 16, 5, 4)
    head.deconv_layers.bfloat16()
    head.conv_layers[0].bfloat16()
    wanted = head.predictor(head.conv_layers(head.deconv_layers(features)))
    got = head(features)
    assert got.dtype == torch.float32
    assert (got - wanted).std() < 0.02 * wanted.std()
    assert torch.equal(head(features[1:]), got[1:])


def test_tokens_go_through_a_feed_forward_layer_apart(monkeypatch):
    torch.manual_seed(4)
    layer, x = backbone.SwiGLU(8, 12), torch.randn(2, 11, 8)
    wanted = layer(x).detach()
    monkeypatch.setattr(backbone, "FFN_TOKENS_AT_ONCE", 4)
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), wanted, atol=1e-6, rtol=1e-5)
