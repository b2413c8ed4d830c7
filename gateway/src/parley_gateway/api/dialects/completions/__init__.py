"""Chat Completions, models and embeddings as OpenAI's clients speak them."""
