"""vLLM inside a worker: `vlm` answers prompts, `pooling` embeds and reranks, `engine` starts it, and again when it
dies. Translation (`inputs`, `outputs`, `arguments`) is pure and tested without vLLM."""
