"""`orderack report`: reports for the people who run the business."""

import typer

from orderack.cli.report_weekly import weekly
from orderack.cli.report_wismo import wismo

app = typer.Typer(no_args_is_help=True, help="Reports for the people who run the business.")

app.command()(weekly)
app.command()(wismo)
