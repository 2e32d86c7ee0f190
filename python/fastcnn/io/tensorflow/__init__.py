"""TensorFlow's graphs: frozen ones, and those of TensorFlow.js."""
