// Attributes: how a description (Python keyword arguments, a saved model) reaches an op's typed parameters.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace fastcnn {

using Attr = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;
using Attrs = std::map<std::string, Attr>;

// Reads attributes by name and, in finish(), refuses those nobody asked for (a misspelt option must not be silent).
class AttrReader {
 public:
  AttrReader(const char* op, const Attrs& attrs) : op_(op), attrs_(attrs) {}

  const char* op() const { return op_; }
  bool has(const char* name) { return find(name) != nullptr; }
  std::int64_t integer(const char* name, std::int64_t fallback);
  double number(const char* name, double fallback);
  bool boolean(const char* name, bool fallback);
  std::string text(const char* name, const std::string& fallback);
  std::vector<std::int64_t> integers(const char* name, const std::vector<std::int64_t>& fallback);
  // An integer that stands for both, or a pair; each in [at_least, 2^31).
  std::pair<std::int64_t, std::int64_t> pair(const char* name, std::int64_t fallback, std::int64_t at_least);
  // Index of the attribute's text in `names`; throws listing them.
  int choice(const char* name, std::initializer_list<const char*> names, const char* fallback);
  void finish() const;

 private:
  const Attr* find(const char* name);
  [[noreturn]] void wrong(const char* name, const char* expected) const;

  const char* op_;
  const Attrs& attrs_;
  std::set<std::string> used_;
};

}  // namespace fastcnn
