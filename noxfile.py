# /// script
# dependencies = [
#     "nox>=2025.2.9",
# ]
# ///
