"""`orderack report`: reports for the people who run the business."""

import typer

from orderack.cli.report_weekly import weekly

app = typer.Typer(no_args_is_help=True, help="Reports for the people who run the business.")

app.command()(weekly)
