"""Values that schemathesis cannot make up by itself."""

import schemathesis
from hypothesis import strategies as st

# Spans within the limits of all members that are spans.
schemathesis.openapi.format("time-span", st.sampled_from(["00:00:01", "00:01:00", "0:00:02.5", "23:59:59", "1.00:00:00"]))

# Nothing is ever sent to another machine: nobody listens there.
schemathesis.openapi.format("uri", st.sampled_from(["http://127.0.0.1:9", "http://localhost:9/api/v1/clientfailover"]))

schemathesis.openapi.format("password", st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40))
