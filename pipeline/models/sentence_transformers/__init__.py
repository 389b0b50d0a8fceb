"""sentence-transformers: `described` asks any checkpoint as it describes itself, `qwen_vl` asks Qwen3-VL-Embedding,
GME and Qwen3-VL-Reranker by their documented templates. No code of a checkpoint is ever run."""
