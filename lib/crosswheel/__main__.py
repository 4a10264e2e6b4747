"""`python -m crosswheel`: the console command."""

from crosswheel.tasks import main

main()
