#include "csrc/cuda/stream.h"

#include <mutex>
#include <set>
#include <utility>

#include "csrc/cuda/allocator.h"
#include "csrc/cuda/runtime.h"
#include "kernels/cuda/device_memory.h"

namespace pyengine::cuda {
namespace {

thread_local cudaStream_t current = nullptr;
thread_local Graph* recorded = nullptr;

struct Graphs {
    std::recursive_mutex mutex;  // to say what is wrong a check waits for the GPU, and whoever waits asks all graphs
    std::set<Graph*> all;
};

Graphs& graphs() {
    static Graphs* instance = new Graphs;  // leaked: graphs may outlive static destruction
    return *instance;
}

/// Of a default stream, the current one.
int device_of(cudaStream_t stream) {
    int device = 0;
    check(cudaStreamGetDevice(stream, &device), "cudaStreamGetDevice");
    return device;
}

/// True for success, false for work that is not done yet.
bool done(cudaError_t status, const char* call) {
    if (status == cudaErrorNotReady) return false;
    check(status, call);
    return true;
}

}  // namespace

cudaStream_t current_stream() { return current; }
void set_current_stream(cudaStream_t stream) { current = stream; }

Stream::Stream(int device) : device_(device) {
    const DeviceGuard guard(device);
    check(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

Stream::~Stream() {
    if (!owned_) return;
    cudaStreamSynchronize(handle_);  // the next stream may get the same handle, and with it the memory that was freed on this one
    forget_stream(handle_);
    cudaStreamDestroy(handle_);
}

void Stream::synchronize() const {
    check(cudaStreamSynchronize(handle_), "cudaStreamSynchronize");
    raise_faults_of_replays();
}

bool Stream::query() const { return done(cudaStreamQuery(handle_), "cudaStreamQuery"); }
void Stream::wait(const Event& event) const {
    if (event.handle()) check(cudaStreamWaitEvent(handle_, event.handle(), 0), "cudaStreamWaitEvent");
}

Event::~Event() {
    if (handle_) cudaEventDestroy(handle_);
}

void Event::record(cudaStream_t stream) {
    const DeviceGuard guard(device_of(stream));
    if (!handle_)
        check(cudaEventCreateWithFlags(&handle_, timing_ ? cudaEventDefault : cudaEventDisableTiming), "cudaEventCreateWithFlags");
    check(cudaEventRecord(handle_, stream), "cudaEventRecord");
}

void Event::synchronize() const {
    if (handle_) check(cudaEventSynchronize(handle_), "cudaEventSynchronize");
    raise_faults_of_replays();
}

bool Event::query() const { return !handle_ || done(cudaEventQuery(handle_), "cudaEventQuery"); }

double Event::elapsed_since(const Event& start) const {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start.handle_, handle_), "cudaEventElapsedTime");
    return milliseconds;
}

Graph::Graph() : pool_(new_pool()) {
    const std::lock_guard lock(graphs().mutex);
    graphs().all.insert(this);
}

Graph::~Graph() {
    {
        const std::lock_guard lock(graphs().mutex);
        graphs().all.erase(this);
    }
    if (executable_) {
        const NotCaptured end;
        int before = 0;
        cudaGetDevice(&before);
        cudaSetDevice(device_);
        cudaDeviceSynchronize();  // its memory goes
        cudaSetDevice(before);
        cudaGraphExecDestroy(executable_);
    }
    if (replays_) deallocate(replays_);
    for (const Check& check : checks_) deallocate_pinned(check.found);
    checks_.clear();  // the arrays they hold go back to the pool
    release_pool(pool_);
}

void Graph::begin_capture(int device) {
    if (stream_ || executable_) fail_value("graph: captured already; make another graph");
    if (recorded) fail_value("graph: another graph is being captured in this thread; end that first");
    empty_cache(device);  // the graph has memory of its own, and cannot take what is cached
    const DeviceGuard guard(device);
    if (!replays_) replays_ = static_cast<std::int64_t*>(allocate(sizeof *replays_, device));
    auto stream = std::make_unique<Stream>(device);
    cuda::check(cudaStreamBeginCapture(stream->handle(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    device_ = device;
    stream_ = std::move(stream);
    before_ = current;
    current = stream_->handle();
    recorded = this;
    use_pool(pool_);
}

void Graph::end_capture() {
    if (!stream_) fail_value("graph: nothing is being captured; call begin_capture first");
    current = before_;
    recorded = nullptr;
    use_pool(0);
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(stream_->handle(), &graph);
    stream_.reset();
    cuda::check(status, "cudaStreamEndCapture");
    const cudaError_t made = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    cuda::check(made, "cudaGraphInstantiate");
}

void Graph::replay() {
    if (!executable_) fail_value("graph: nothing was captured; use it in 'with pe.cuda.graph(g)' first");
    const DeviceGuard guard(device_);
    cuda::check(cudaMemcpyAsync(replays_, &replayed_, sizeof replayed_, cudaMemcpyHostToDevice, current), "cudaMemcpyAsync");
    cuda::check(cudaGraphLaunch(executable_, current), "cudaGraphLaunch");
    ++replayed_;
}

void Graph::check(const std::int64_t* place, std::function<void(std::int64_t)> fail) {
    auto* found = static_cast<std::int64_t*>(allocate_pinned(sizeof *place));
    *found = -1;
    checks_.push_back({found, std::move(fail)});
    kernels::keep_first<Isa::cuda>(place, found);
}

void Graph::raise_faults() {
    for (const Check& check : checks_) {
        const std::int64_t position = *static_cast<volatile std::int64_t*>(check.found);
        if (position < 0) continue;
        *check.found = -1;
        check.fail(position);
    }
}

void check_after_replays(const std::int64_t* place, std::function<void(std::int64_t)> fail) { recorded->check(place, std::move(fail)); }
const std::int64_t* replays() { return recorded ? recorded->replays() : nullptr; }

void raise_faults_of_replays() {
    const std::lock_guard lock(graphs().mutex);
    for (Graph* graph : graphs().all) graph->raise_faults();
}

bool capturing() {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    if (current) check(cudaStreamIsCapturing(current, &status), "cudaStreamIsCapturing");
    return status != cudaStreamCaptureStatusNone;
}

}  // namespace pyengine::cuda
