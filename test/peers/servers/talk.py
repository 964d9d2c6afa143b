# SPDX-License-Identifier: Apache-2.0
"""Both ends of gRPC in Python: talk.py COUNT serves, and runs itself as the client; each prints what it did.

With COUNT 0 one call is made, and cancelled when its first message has come.

Lines are `END METHOD STATUS`, END one of client and server.
"""

import subprocess
import sys
import threading
from concurrent import futures

import grpc

COUNT = int(sys.argv[1])


def say(request, context):
    if request == b"missing":
        context.abort(grpc.StatusCode.NOT_FOUND, "nobody")
    return b"said " + request


def tell(request, context):
    for i in range(int(request)):
        yield b"x" * (i * 1000)
    if request == b"7":
        context.abort(grpc.StatusCode.DATA_LOSS, "lost")


def hear(requests, context):
    return str(sum(len(r) for r in requests)).encode()


def chat(requests, context):
    for request in requests:
        yield request


KINDS = {
    "Say": (grpc.unary_unary_rpc_method_handler, say),
    "Tell": (grpc.unary_stream_rpc_method_handler, tell),
    "Hear": (grpc.stream_unary_rpc_method_handler, hear),
    "Chat": (grpc.stream_stream_rpc_method_handler, chat),
}


class Watch(grpc.ServerInterceptor):
    """Notes the status of every call when it is over."""

    def __init__(self):
        self.done = []

    def intercept_service(self, continuation, details):
        handler = continuation(details)
        if handler is None:
            return None

        def noted(behaviour):
            def run(request, context):
                context.add_callback(lambda: self.done.append((details.method, context)))
                return behaviour(request, context)

            return run

        for name in ("unary_unary", "unary_stream", "stream_unary", "stream_stream"):
            behaviour = getattr(handler, name)
            if behaviour:
                handler = handler._replace(**{name: noted(behaviour)})
        return handler


def serve():
    watch = Watch()
    server = grpc.server(futures.ThreadPoolExecutor(4), interceptors=[watch])
    handlers = {name: make(behaviour) for name, (make, behaviour) in KINDS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Talk", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = subprocess.run([sys.executable, __file__, str(COUNT), str(port)], stdout=subprocess.PIPE, check=True)
    server.stop(1).wait()
    sys.stdout.write(client.stdout.decode())
    for method, context in watch.done:
        code = context.code()
        print("server", method, code.value[0] if code else 0)


def ask(port):
    with grpc.insecure_channel("127.0.0.1:" + port) as channel:
        calls = {
            "Say": channel.unary_unary("/demo.Talk/Say"),
            "Tell": channel.unary_stream("/demo.Talk/Tell"),
            "Hear": channel.stream_unary("/demo.Talk/Hear"),
            "Chat": channel.stream_stream("/demo.Talk/Chat"),
            "Nothing": channel.unary_unary("/demo.Talk/Nothing"),
        }
        lock = threading.Lock()

        def one(name, argument):
            code = 0
            try:
                answer = calls[name](argument)
                if name in ("Tell", "Chat"):
                    for _ in answer:
                        pass
            except grpc.RpcError as error:
                code = error.code().value[0]
            with lock:
                print("client", "/demo.Talk/" + name, code)

        def all():
            for i in range(COUNT):
                one("Say", b"missing" if i % 5 == 0 else b"hello")
                one("Tell", str(i % 8).encode())
                one("Hear", iter([b"a" * 10000] * (i % 4)))
                one("Chat", iter([b"b"] * (i % 4)))
            one("Nothing", b"")

        if COUNT == 0:
            answer = calls["Tell"](b"1000")
            next(answer)
            answer.cancel()
            print("client /demo.Talk/Tell", answer.code().value[0])
            return
        threads = [threading.Thread(target=all) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if len(sys.argv) > 2:
    ask(sys.argv[2])
else:
    serve()
