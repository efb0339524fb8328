"""The same network in ONNX Runtime: QLinearConv with ReLU by saturation, MaxPool, MatMulInteger.

Arguments: int8 model file, quantised images (int8, [N, 3, 32, 32]), number of images, threads.
For each line on standard input the images run once, and the seconds are printed; at its end, the classes.
"""
import json
import sys
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open


def export(path):
    """The model file as an ONNX graph: uint8 maps with zero point 0, the input with zero point 128."""
    with safe_open(path, framework="numpy") as file:
        layers = json.loads(file.metadata()["hafnia"])["layers"]
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    one = constant("one", np.float32(1))
    points = {"input": constant("zero_128", np.uint8(128))}
    zero = constant("zero", np.uint8(0))
    last = "input"
    for i, layer in enumerate(layers):
        weight, bias = tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"]
        if layer["kind"] == "linear":
            flat = weight.reshape(weight.shape[:2]).T.copy()
            nodes.append(helper.make_node("Flatten", [last], ["flat"]))
            nodes.append(helper.make_node("MatMulInteger", ["flat", constant("head", flat)], ["sums"]))
            nodes.append(helper.make_node("Add", ["sums", constant("head_bias", bias)], ["logits"]))
            continue
        scale = tensors[f"layers.{i}.m"].astype(np.float64) / 2.0 ** tensors[f"layers.{i}.s"]
        out = f"map{i}"
        nodes.append(helper.make_node(
            "QLinearConv",
            [last, one, points.get(last, zero), constant(f"w{i}", weight), constant(f"ws{i}", scale.astype(np.float32)),
             constant(f"wz{i}", np.zeros(len(scale), np.int8)), one, zero, constant(f"b{i}", bias)],
            [out], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        last = out
        if layer["pool"]:
            last = f"pool{i}"
            nodes.append(helper.make_node("MaxPool", [out], [last], kernel_shape=[2, 2], strides=[2, 2]))
    first = layers[0]
    shape = ["N", first["in_channels"], first["height"], first["width"]]
    graph = helper.make_graph(
        nodes, "hafnia", [helper.make_tensor_value_info("input", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.INT32, ["N", layers[-1]["out_channels"]])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString(), shape[1:]


def main():
    model, images, count, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    graph, shape = export(model)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    batch = (np.fromfile(images, np.int8).reshape(count, *shape).astype(np.int16) + 128).astype(np.uint8)
    logits = session.run(None, {"input": batch})[0]
    print(onnxruntime.__version__, flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        logits = session.run(None, {"input": batch})[0]
        print(time.perf_counter() - begin, flush=True)
    print(json.dumps(np.argmax(logits, axis=1).tolist()), flush=True)


main()
