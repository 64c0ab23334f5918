"""Reads an ONNX file that others made, without trusting it.

- ``model_bytes``: reads the file, and refuses a file that is not one complete ONNX model.
- ``file_kind``: names a file that is not an ONNX model, and how to get the model.
- ``scan``: versions and external tensors of a model, from its bytes.
- ``session``: loads the model in ONNX Runtime; its errors become one of ``errors``.
- ``tensor_match``: checks inputs and outputs against the manifest.
- ``errors``: the error that every module here raises.
"""
