"""The wire of `/chat/completions`, which OpenAI and every compatible server speak."""
