// SPDX-License-Identifier: Apache-2.0
// HttpServerPeer PORT: com.sun.net.httpserver, a pool of threads. What test_http_servers.py says a server does.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

public class HttpServerPeer {
	static void answer(HttpExchange x) throws IOException {
		String[] ask = x.getRequestURI().getPath().split("/");
		String how = ask.length > 1 ? ask[1] : "", amount = ask.length > 2 ? ask[2] : "0";
		byte[] body = x.getRequestBody().readAllBytes();
		int status = how.equals("status") ? Integer.parseInt(amount) : 200;
		boolean none = x.getRequestMethod().equals("HEAD") || status == 204 || status == 304;

		System.out.println(x.getRequestMethod() + " " + x.getRequestURI().getPath() + " " + status);
		x.sendResponseHeaders(status, none ? -1 : how.equals("chunks") ? 0 : Math.max(body.length, 2));
		try (OutputStream out = x.getResponseBody()) {
			for (int i = 0; !none && how.equals("chunks") && i < Integer.parseInt(amount); i++) {
				out.write(new byte[4]);
				out.flush();
			}
			if (!none && !how.equals("chunks"))
				out.write(new byte[Math.max(body.length, 2)]);
		}
	}

	public static void main(String[] args) throws IOException {
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 0);

		server.createContext("/", HttpServerPeer::answer);
		server.setExecutor(Executors.newFixedThreadPool(4));
		server.start();
		System.out.println(server.getAddress().getPort());
	}
}
