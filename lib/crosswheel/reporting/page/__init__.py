"""The page of a run as one HTML file: made from documents, so that old runs can be shown again."""
