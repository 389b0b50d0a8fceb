"""Vision-language models behind an OpenAI-compatible server: vLLM serve, SGLang, hosted. Docs: docs/vlm.md."""
