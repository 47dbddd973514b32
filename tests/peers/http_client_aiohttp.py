#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""http_client_aiohttp.py URL N: so many requests, 8 at a time on connections kept alive; every third is a POST."""
import asyncio
import itertools
import sys

import aiohttp


async def work(session, url, numbers, n):
    while (i := next(numbers)) < n:
        async with session.request("GET" if i % 3 else "POST", f"{url}/{i}", data=None if i % 3 else b"x" * i) as r:
            await r.read()


async def main(url, n):
    numbers = itertools.count()
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(work(session, url, numbers, n) for _ in range(8)))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
