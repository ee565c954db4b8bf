"""Learning and inference on aligned crops. No Django here, and serving imports no TensorFlow."""
