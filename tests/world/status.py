"""The HTTP status that PostgREST answers an error with."""

# The longest beginning of an SQLSTATE decides. https://docs.postgrest.org/en/stable/references/errors.html
STATUS = {
    "": 400,
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "21": 500,
    "23503": 409,
    "23505": 409,
    "25": 500,
    "25006": 405,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "42501": 403,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "53": 503,
    "53400": 500,
    "54": 500,
    "55": 500,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "P0001": 400,
    "XX": 500,
}


def http_status(sqlstate: str) -> int:
    if sqlstate.startswith("PT") and sqlstate[2:].isdigit():
        return int(sqlstate[2:])
    beginnings = (sqlstate[:length] for length in range(len(sqlstate), -1, -1))
    return next(STATUS[beginning] for beginning in beginnings if beginning in STATUS)
