#include <cstring>

#include "plan/stages.h"

namespace fastcnn {
namespace {

// Names the content of a constant value: equal keys mean equal bytes.
std::string content_key(const Value& v) {
  if (v.source == Source::Constant) return v.constant->key;
  return cat("v", v.variable->id(), "@", v.variable->version());
}

std::string content_key(const Graph& graph, const Node& node, std::size_t output) {
  std::string key = cat(node.op->name, '/', node.kernel != nullptr ? node.kernel->name : "view", '/', output, '(');
  key.append(reinterpret_cast<const char*>(node.params.bytes()), Params::kMaxBytes);
  for (const ValueId id : node.inputs) key += cat(content_key(graph.value(id)), ',');
  return digest(key);  // the operands' keys whole would double with every node that reads a value twice
}

Tensor tensor_of(const Value& v) { return v.source == Source::Constant ? v.constant->tensor() : v.variable->tensor(); }

// Computes all outputs of the node from its constant operands.
std::vector<std::shared_ptr<Constant>> evaluate(const Graph& graph, const Node& node) {
  std::vector<std::shared_ptr<Constant>> results;
  std::vector<Tensor> in, out;
  for (const ValueId id : node.inputs) in.push_back(tensor_of(graph.value(id)));
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const TensorType& type = graph.value(node.outputs[i]).type;
    results.push_back(std::make_shared<Constant>(Constant{type, Buffer(type.bytes()), content_key(graph, node, i)}));
    out.push_back(results.back()->tensor());
  }
  if (node.op->is_view) {
    std::memcpy(out[0].data, in[0].data, static_cast<std::size_t>(out[0].type.bytes()));
    return results;
  }
  const std::vector<TensorType> in_types = types_of(graph, node.inputs), out_types = types_of(graph, node.outputs);
  const Problem problem{node.params, in_types.data(), out_types.data(), static_cast<int>(in_types.size()),
                        static_cast<int>(out_types.size())};
  const Buffer workspace(node.kernel->workspace != nullptr ? node.kernel->workspace(problem) : 0);
  node.kernel->run({problem, in.data(), out.data(), workspace.data()});
  return results;
}

}  // namespace

std::string digest(const std::string& text) {  // two FNV-1a hashes
  std::uint64_t a = 0xcbf29ce484222325u, b = 0x84222325cbf29ce4u;
  for (const char c : text) {
    a = (a ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    b = (b ^ static_cast<unsigned char>(c)) * 0x9e3779b97f4a7c15u;
    b ^= b >> 29;
  }
  return cat("f", a, ".", b);
}

void fold_constants(Graph& graph, ConstantCache& cache) {
  for (Node& node : graph.take_nodes()) {
    bool constant = !node.inputs.empty();
    for (ValueId& id : node.inputs) constant = constant && graph.is_constant(graph.resolve(id));
    if (!constant) {
      graph.append(std::move(node));
      continue;
    }
    for (ValueId& id : node.inputs) id = graph.resolve(id);
    std::vector<std::shared_ptr<const Constant>> results;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) results.push_back(cache.find(content_key(graph, node, i)));
    bool cached = true;
    for (const auto& r : results) cached = cached && r != nullptr;
    if (!cached) {
      results.clear();
      for (auto& r : evaluate(graph, node)) {
        cache.insert(r);
        results.push_back(std::move(r));
      }
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      graph.replace(node.outputs[i], graph.add_constant(results[i]));
  }
  graph.finish_rewrite();
}

}  // namespace fastcnn
