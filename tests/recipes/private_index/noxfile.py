from crosswheel import sessions

sessions.add(only=["wheels", "upload", "status"], arch="aarch64", repository="company")
