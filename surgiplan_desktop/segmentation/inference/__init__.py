"""Inference engines: the only place that imports ONNX Runtime and OpenVINO. Nothing is imported here: the libraries are slow."""
