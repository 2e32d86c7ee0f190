// What the passes know about a network that is to be computed on codes of 8 bits.
#pragma once

#include <map>
#include <set>
#include <string>

#include "core/quantization.h"

namespace fastcnn {

// Values are called after the node that computes them: its name (its op's where it has none), and a number where
// several nodes of a name have results ("conv", "conv:1"); "input", "input:1" are the graph's inputs.
struct QuantizationSpec {
  std::map<std::string, std::pair<double, double>> ranges;  // smallest and largest number, by value
  std::set<std::string> float_layers;  // names of nodes, or of what their names begin with before a '/'
};

// The codes for a range, in which zero is always one: padding must be exact.
Quantization codes_for(double low, double high);

}  // namespace fastcnn
