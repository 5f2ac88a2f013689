"""`import e2edebug.auto`: everything, from the environment. Importing it again changes nothing.

In a Django project it may stand in manage.py, wsgi.py or asgi.py, or anywhere in the settings: what needs settings
waits until Django is set up.
"""

from e2edebug.alerts import background
from e2edebug.runtime import lifecycle
from e2edebug.runtime.startup import start

lifecycle.when_begun(background.begin)
start()
