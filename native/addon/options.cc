/* SPDX-License-Identifier: Apache-2.0 */
/* JavaScript values as the reader takes them. */
#include "options.h"

namespace scope {
namespace {

std::string TextOption(const Napi::Object &options, const char *name)
{
	Napi::Value value = options.Get(name);

	return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

double NumberOption(const Napi::Object &options, const char *name, double fallback)
{
	Napi::Value value = options.Get(name);

	return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : fallback;
}

} // namespace

std::string BytesOf(const Napi::Value &value)
{
	if (!value.IsTypedArray())
		return {};
	auto bytes = value.As<Napi::Uint8Array>();
	return std::string(reinterpret_cast<char *>(bytes.Data()), bytes.ByteLength());
}

ReaderSetup ReadSetup(const Napi::Object &options)
{
	ReaderSetup setup;

	setup.hub.libscope = TextOption(options, "library");
	setup.hub.launcher = TextOption(options, "launcher");
	setup.hub.plans = TextOption(options, "plans");
	setup.hub.file_watch = BytesOf(options.Get("fileWatch"));
	setup.far = ParseFar(TextOption(options, "far"));
	setup.create = options.Get("create").ToBoolean();
	setup.spool_max = static_cast<uint64_t>(NumberOption(options, "spoolMax", 0));
	setup.from = static_cast<uint64_t>(NumberOption(options, "from", 0));
	setup.quiet_ns = static_cast<uint64_t>(NumberOption(options, "quietSeconds", 0) * 1e9);
	return setup;
}

} // namespace scope
