// SPDX-License-Identifier: Apache-2.0
// http_server.js PORT: node's own. What test_http_servers.py says a server does.
const http = require('http');

const server = http.createServer((request, response) => {
	const [, how, amount] = new URL(request.url, 'http://x').pathname.split('/');
	let n = 0;

	request.on('data', (chunk) => { n += chunk.length; });
	request.on('end', () => {
		response.statusCode = how === 'status' ? Number(amount) : 200;
		console.log(request.method, request.url, response.statusCode);
		if (how === 'chunks') {
			for (let i = 0; i < Number(amount); i++)
				response.write('four');
			response.end();
			return;
		}
		response.end('x'.repeat(n || 2));
	});
});

server.on('upgrade', (request, socket) => {
	console.log(request.method, request.url, 101);
	socket.write('HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
	socket.pipe(socket);
	socket.on('error', () => {});
});

server.keepAliveTimeout = 60000;
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log(server.address().port));
