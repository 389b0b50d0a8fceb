"""Seed pool -> D = (I, Q, C, R), one set a task.

Read `recipe` first, then `task` (what a task is) and one file of `tasks/`. Three annotators fill
examples: `by_vlm` asks a model, `by_facts` says what was measured (`claims`), `by_given` takes what
people said of the media word for word. `checks` rejects examples that break a rule; `assemble` makes
queries, corpus and relevance of the rest.
"""
