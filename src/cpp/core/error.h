// Errors become Python exceptions in the bindings. Not for ISA files: it pulls in <string>.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "core/tensor.h"

namespace fastcnn {

enum class ErrorKind { Shape, DType, Config, Unsupported, Internal };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

std::string to_string(const Shape& shape);      // "(1, 224, 224, 3)"
std::string to_string(const TensorType& type);  // "float32(1, 224, 224, 3)"

// cat("expected ", shape, ", got ", n): everything an error message needs to name.
namespace detail {
inline void append(std::ostringstream& out, const Shape& s) { out << to_string(s); }
inline void append(std::ostringstream& out, const TensorType& t) { out << to_string(t); }
template <class T>
void append(std::ostringstream& out, const T& value) {
  out << value;
}
}  // namespace detail

template <class... Args>
std::string cat(const Args&... args) {
  std::ostringstream out;
  (detail::append(out, args), ...);
  return out.str();
}

template <class... Args>
[[noreturn]] void fail(ErrorKind kind, const Args&... args) {
  throw Error(kind, cat(args...));
}

template <class... Args>
void require(bool condition, ErrorKind kind, const Args&... args) {
  if (!condition) fail(kind, args...);
}

}  // namespace fastcnn
