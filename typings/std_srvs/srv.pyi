class Trigger:
    class Request: ...

    class Response:
        success: bool
        message: str
