"""What every engine that runs Qwen3-VL-Embedding, Qwen3-VL-Reranker or GME shares: templates, budgets, parity.

`families` says which template a checkpoint takes, `contents` turns an Item into parts within its
`budget`, `templates` puts the parts into the documented prompt, and `parity` compares an engine
with a plain transformers forward pass of that prompt. Nothing here runs a model of its own.
"""
