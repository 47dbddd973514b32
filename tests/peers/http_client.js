// SPDX-License-Identifier: Apache-2.0
// http_client.js URL N: so many requests, 8 at a time on connections kept alive; every third is a POST in chunks.
const http = require('http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const [url, n] = process.argv.slice(2);
let next = 0;

function ask() {
	const i = next++;

	if (i >= n)
		return;
	const request = http.request(`${url}/${i}`, { agent, method: i % 3 ? 'GET' : 'POST' }, (response) => {
		response.resume();
		response.on('end', ask);
	});
	if (i % 3 === 0)
		request.write('x'.repeat(i));
	request.end();
}

for (let i = 0; i < 8; i++)
	ask();
