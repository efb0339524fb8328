"""The same network in PyTorch, in fp32, its weights read through the noisy operator of Emonds, Xi and Fröning, arXiv 2401.05820.

Arguments: int8 model file, quantised images (int8, [N, C, H, W]), number of images, threads.
For a line `read MASKS SITES P IMAGES` on standard input, IMAGES images share a read from then on; the answer is the images of a
run, and the share of bits flipped in one read of the weights. For a line `run`, the seconds. At its end, the classes without noise.
"""
import json
import math
import sys
import time

import numpy as np
import torch
from safetensors import safe_open
from torch.nn import functional as F

# A run is at least about this long, so that starting it counts for nothing.
RUN_SECONDS = 0.05
POWERS = torch.tensor([1 << bit for bit in range(31)] + [-(1 << 31)], dtype=torch.int32)


def paper(n, p):
    """As the authors draw: a Bernoulli sample for each bit of each mask, summed by powers of two."""
    bits = torch.distributions.Bernoulli(torch.tensor(p)).sample((2, n, 32)).int()
    return (bits * POWERS).sum(-1, dtype=torch.int32)


def planes(n, p):
    """The same draws, bit plane by bit plane, in place."""
    masks, draws = torch.zeros((2, n), dtype=torch.int32), torch.empty((2, n))
    for _ in range(32):
        masks.add_(masks).add_(draws.uniform_() < p)
    return masks


def sparse(n, p):
    """The same law at a cost in proportion to the flips: the gaps between set bits are geometric."""
    bits = 64 * n
    mean = bits * p
    draws = torch.rand(int(mean + 8 * math.sqrt(mean)) + 8)
    places = draws.neg_().log1p_().div_(math.log1p(-p)).floor_().long().add_(1).cumsum_(0).sub_(1)
    places = places[:torch.searchsorted(places, bits)]
    masks = torch.zeros(2 * n, dtype=torch.int32)
    return masks.index_add_(0, places >> 5, POWERS[places & 31]).view(2, n)


MASKS = {"paper": paper, "planes": planes, "sparse": sparse}


def noisy(bits, masks):
    """The operator: flips by the masks of either direction, then NaN to 0 and infinities to the largest values."""
    return torch.nan_to_num(((bits | masks[0]) ^ (bits & masks[1])).view(torch.float32))


class Network:
    """Weights in one memory of fp32 bits, channels last, which is the faster order; the maps are in units of the int8 network."""

    def __init__(self, path):
        with safe_open(path, framework="numpy") as file:
            self.layers = json.loads(file.metadata()["hafnia"])["layers"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        weights, self.biases = [], []
        for i, layer in enumerate(self.layers):
            weight, bias = tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"]
            scale = np.ones(len(bias))
            if layer["kind"] == "conv3x3":
                scale = tensors[f"layers.{i}.m"] / 2.0 ** tensors[f"layers.{i}.s"]
            weight = (weight * scale[:, None, None, None]).transpose(0, 2, 3, 1)
            weights.append(torch.from_numpy(weight.astype(np.float32).ravel()))
            self.biases.append(torch.from_numpy((bias * scale).astype(np.float32)))
        self.sizes = [len(w) for w in weights]
        self.store = torch.cat(weights).view(torch.int32)

    def read(self, draw, p):
        """Every layer's weights, read once. The authors draw tensor by tensor; all at once is faster where it fits."""
        parts = self.store.split(self.sizes) if draw is paper else [self.store]
        return torch.cat([noisy(part, draw(len(part), p)) for part in parts]).split(self.sizes)

    def forward(self, x, weights, sites, draw, p):
        for layer, weight, bias in zip(self.layers, weights, self.biases):
            if sites == "everything":
                flat = x.permute(0, 2, 3, 1).reshape(-1)
                n, c, h, w = x.shape
                x = noisy(flat.view(torch.int32), draw(len(flat), p)).view(n, h, w, c).permute(0, 3, 1, 2)
            if layer["kind"] == "linear":
                return F.linear(x.flatten(1), weight.view(len(bias), -1), bias)
            x = F.conv2d(x, weight.view(len(bias), 3, 3, -1).permute(0, 3, 1, 2), bias, padding=1).relu_()
            if layer["pool"]:
                x = F.max_pool2d(x, 2)


def main():
    path, file, count, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    network = Network(path)
    first = network.layers[0]
    images = np.fromfile(file, np.int8).reshape(count, first["in_channels"], first["height"], first["width"])
    images = torch.from_numpy(images.astype(np.float32)).contiguous(memory_format=torch.channels_last)

    def reads(times):
        begin = time.perf_counter()
        for _ in range(times):
            network.forward(images[:shared], network.read(draw, p), sites, draw, p)
        return time.perf_counter() - begin

    print(torch.__version__, flush=True)
    for line in sys.stdin:
        if line == "run\n":
            print(reads(times), flush=True)
            continue
        _, masks, sites, p, shared = line.split()
        draw, p, shared = MASKS[masks], float(p), int(shared)
        reads(1)
        times = math.ceil(RUN_SECONDS / reads(1))
        read = torch.cat(network.read(draw, p)).view(torch.int32)
        flipped = np.unpackbits((read ^ network.store).numpy().view(np.uint8)).mean()
        print(times * shared, flipped, flush=True)
    logits = network.forward(images, network.read(paper, 0.0), "weights", paper, 0.0)
    print(json.dumps(logits.argmax(1).tolist()), flush=True)


with torch.inference_mode():
    main()
