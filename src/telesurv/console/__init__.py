"""The console: one live page of alerts with their strips, in French and English.

`feed.py` folds the log's records into what is shown, `strip.py` and `trend.py` draw, `board.py`
says what goes onto the page, `app.py` answers HTTP, `run.py` ties them to a log.
"""
