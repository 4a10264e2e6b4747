"""Results as terminal text, JSON, SARIF and Markdown; rich is imported only when something is drawn."""
