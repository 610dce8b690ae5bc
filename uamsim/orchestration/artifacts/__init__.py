"""What trials start from, made once: data, questions, pretrained weights."""
