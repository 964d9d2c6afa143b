/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams over unix sockets (StatsD's `unixgram`). */
#include "unixgram.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace scope {
namespace {

Napi::Value Fail(Napi::Env env, int error)
{
	Napi::Error::New(env, std::strerror(error)).ThrowAsJavaScriptException();
	return env.Undefined();
}

Napi::Value Open(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	std::string path = info[0].ToString();
	struct sockaddr_un address = {};
	if (path.empty() || path.size() >= sizeof(address.sun_path))
		return Fail(env, ENAMETOOLONG);

	address.sun_family = AF_UNIX;
	std::memcpy(address.sun_path, path.data(), path.size());
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + path.size() + 1;
	if (path[0] == '@') {
		address.sun_path[0] = '\0';
		length--;
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return Fail(env, errno);
	if (connect(fd, reinterpret_cast<struct sockaddr *>(&address), length) != 0) {
		int error = errno;
		close(fd);
		return Fail(env, error);
	}
	return Napi::Number::New(env, fd);
}

Napi::Value Send(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	if (!info[0].IsNumber() || !info[1].IsTypedArray())
		return Fail(env, EINVAL);
	Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
	int fd = info[0].As<Napi::Number>().Int32Value();
	ssize_t sent;
	do {
		sent = send(fd, bytes.Data(), bytes.ByteLength(), MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return Napi::Number::New(env, sent < 0 ? errno : 0);
}

Napi::Value Close(const Napi::CallbackInfo &info)
{
	if (info[0].IsNumber())
		close(info[0].As<Napi::Number>().Int32Value());
	return info.Env().Undefined();
}

} // namespace

Napi::Object MakeUnixgram(Napi::Env env)
{
	Napi::Object out = Napi::Object::New(env);
	out.Set("open", Napi::Function::New(env, Open, "open"));
	out.Set("send", Napi::Function::New(env, Send, "send"));
	out.Set("close", Napi::Function::New(env, Close, "close"));
	return out;
}

} // namespace scope
