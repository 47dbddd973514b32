#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""http_aiohttp.py PORT: aiohttp, one thread. What test_http_servers.py says a server does."""
import asyncio
import sys

from aiohttp import web


async def answer(request):
    try:
        body = await request.read()
    except ConnectionError:  # the client went away
        return web.Response()
    _, how, amount, *_ = (request.path + "//").split("/")
    if request.headers.get("Upgrade"):
        response = web.WebSocketResponse()
        await response.prepare(request)
        print(request.method, request.path, 101, flush=True)
        async for _ in response:
            pass
        return response
    if how == "chunks":
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(int(amount)):
            await response.write(b"four")
        await response.write_eof()
    else:
        response = web.Response(status=int(amount) if how == "status" else 200, body=b"x" * (len(body) or 2))
    print(request.method, request.path, response.status, flush=True)
    return response


async def main():
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(sys.argv[1]))
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
