"""Images as files: from a registry or an archive into a folder of this machine, without a container engine."""
