"""The files of CI systems: which jobs they have, on which runners, and their text.

systems   what each CI system offers: its file, its runners, how files go from job to job
groups    targets -> CI jobs, one for each engine and architecture
pins      the actions of GitHub, each by its commit
places    the marked places of a file, which keep the user's own steps
text      all of these -> the text of the file
"""
