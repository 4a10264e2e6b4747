"""Looking after an installation: what doctor reports, and what is kept between runs."""
