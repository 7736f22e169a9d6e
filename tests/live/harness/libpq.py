"""SQL for tests: libpq by ctypes, a connection for each statement. A process of psql each time took a fifth of the suite."""
import ctypes
import select
import time

libpq = ctypes.CDLL("libpq.so.5")
for _name, _result, _arguments in (
        ("PQconnectdb", ctypes.c_void_p, [ctypes.c_char_p]), ("PQstatus", ctypes.c_int, [ctypes.c_void_p]),
        ("PQerrorMessage", ctypes.c_char_p, [ctypes.c_void_p]), ("PQfinish", None, [ctypes.c_void_p]),
        ("PQsendQuery", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p]), ("PQsocket", ctypes.c_int, [ctypes.c_void_p]),
        ("PQconsumeInput", ctypes.c_int, [ctypes.c_void_p]), ("PQisBusy", ctypes.c_int, [ctypes.c_void_p]),
        ("PQgetResult", ctypes.c_void_p, [ctypes.c_void_p]), ("PQclear", None, [ctypes.c_void_p]),
        ("PQresultStatus", ctypes.c_int, [ctypes.c_void_p]), ("PQntuples", ctypes.c_int, [ctypes.c_void_p]),
        ("PQnfields", ctypes.c_int, [ctypes.c_void_p]),
        ("PQgetvalue", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int])):
    _function = getattr(libpq, _name)
    _function.restype, _function.argtypes = _result, _arguments
CONNECTION_OK, FAILED = 0, (5, 7)  # PGRES_BAD_RESPONSE, PGRES_FATAL_ERROR
PATIENCE = 60


def _rows_of(result):
    return [[libpq.PQgetvalue(result, row, column).decode() for column in range(libpq.PQnfields(result))]
            for row in range(libpq.PQntuples(result))]


def _results(connection):
    """Rows of all statements; waits no longer than PATIENCE in all."""
    end, rows = time.monotonic() + PATIENCE, []
    while True:
        while libpq.PQisBusy(connection):
            left = end - time.monotonic()
            assert left > 0 and select.select([libpq.PQsocket(connection)], [], [], left)[0], "the database is silent"
            assert libpq.PQconsumeInput(connection), libpq.PQerrorMessage(connection).decode()
        result = libpq.PQgetResult(connection)
        if not result:
            return rows
        try:
            assert libpq.PQresultStatus(result) not in FAILED, libpq.PQerrorMessage(connection).decode()
            rows += _rows_of(result)
        finally:
            libpq.PQclear(result)


def query(conninfo, statement):
    """Rows as lists of text; NULL is the empty text."""
    connection = libpq.PQconnectdb(f"{conninfo} connect_timeout={PATIENCE}".encode())
    try:
        assert libpq.PQstatus(connection) == CONNECTION_OK, libpq.PQerrorMessage(connection).decode()
        assert libpq.PQsendQuery(connection, statement.encode()), libpq.PQerrorMessage(connection).decode()
        return _results(connection)
    finally:
        libpq.PQfinish(connection)
