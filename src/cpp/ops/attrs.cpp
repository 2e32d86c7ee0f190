#include "ops/attrs.h"

#include "core/error.h"

namespace fastcnn {
namespace {

template <class T>
void put_list(std::ostringstream& out, const std::vector<T>& list) {
  out << '(';
  for (std::size_t i = 0; i < list.size(); ++i) out << (i ? ", " : "") << list[i];
  out << ')';
}

std::string show(const Attr& attr) {
  std::ostringstream out;
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::vector<std::int64_t>> || std::is_same_v<T, std::vector<double>>)
          put_list(out, v);
        else if constexpr (std::is_same_v<T, bool>)
          out << (v ? "True" : "False");
        else if constexpr (std::is_same_v<T, std::string>)
          out << '\'' << v << '\'';
        else
          out << v;
      },
      attr);
  return out.str();
}

}  // namespace

const Attr* AttrReader::find(const char* name) {
  const auto it = attrs_.find(name);
  if (it == attrs_.end()) return nullptr;
  used_.insert(name);
  return &it->second;
}

void AttrReader::wrong(const char* name, const char* expected) const {
  const auto it = attrs_.find(name);  // an option without a default may be missing
  fail(ErrorKind::Config, op_, ": ", name, ": expected ", expected, ", got ",
       it == attrs_.end() ? "nothing" : show(it->second));
}

std::int64_t AttrReader::integer(const char* name, std::int64_t fallback) {
  const Attr* a = find(name);
  if (a == nullptr) return fallback;
  if (const auto* v = std::get_if<std::int64_t>(a)) return *v;
  wrong(name, "an integer");
}

double AttrReader::number(const char* name, double fallback) {
  const Attr* a = find(name);
  if (a == nullptr) return fallback;
  if (const auto* v = std::get_if<double>(a)) return *v;
  if (const auto* v = std::get_if<std::int64_t>(a)) return static_cast<double>(*v);
  wrong(name, "a number");
}

bool AttrReader::boolean(const char* name, bool fallback) {
  const Attr* a = find(name);
  if (a == nullptr) return fallback;
  if (const auto* v = std::get_if<bool>(a)) return *v;
  wrong(name, "True or False");
}

std::string AttrReader::text(const char* name, const std::string& fallback) {
  const Attr* a = find(name);
  if (a == nullptr) return fallback;
  if (const auto* v = std::get_if<std::string>(a)) return *v;
  wrong(name, "a string");
}

std::vector<std::int64_t> AttrReader::integers(const char* name, const std::vector<std::int64_t>& fallback) {
  const Attr* a = find(name);
  if (a == nullptr) return fallback;
  if (const auto* v = std::get_if<std::vector<std::int64_t>>(a)) return *v;
  if (const auto* v = std::get_if<std::int64_t>(a)) return {*v};
  // An empty Python tuple has no element type to tell.
  if (const auto* v = std::get_if<std::vector<double>>(a); v != nullptr && v->empty()) return {};
  wrong(name, "integers");
}

std::pair<std::int64_t, std::int64_t> AttrReader::pair(const char* name, std::int64_t fallback, std::int64_t at_least) {
  std::vector<std::int64_t> v = integers(name, {fallback, fallback});
  if (v.size() == 1) v.push_back(v[0]);
  constexpr std::int64_t kLimit = std::int64_t{1} << 31;  // products of two stay inside int64
  if (v.size() != 2 || v[0] < at_least || v[1] < at_least || v[0] >= kLimit || v[1] >= kLimit)
    wrong(name, cat("an integer or a pair of integers, at least ", at_least, " and below 2^31").c_str());
  return {v[0], v[1]};
}

int AttrReader::choice(const char* name, std::initializer_list<const char*> names, const char* fallback) {
  const std::string value = text(name, fallback);
  std::string expected = "one of ";
  int i = 0;
  for (const char* n : names) {
    if (value == n) return i;
    expected += cat(i++ ? ", '" : "'", n, "'");
  }
  wrong(name, expected.c_str());
}

void AttrReader::finish() const {
  for (const auto& [name, value] : attrs_)
    require(used_.count(name) != 0, ErrorKind::Config, op_, ": unknown option '", name, "'");
}

}  // namespace fastcnn
