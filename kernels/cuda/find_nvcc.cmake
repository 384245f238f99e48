# Sets CMAKE_CUDA_COMPILER if there is an nvcc: named in CUDACXX or on the PATH; where PYENGINE_CUDA is WHEELS, or where there is no other,
# from the wheels of cuda-toolkit[nvcc,cudart,cccl].
include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(nvcc_of_system nvcc)
  if(PYENGINE_CUDA STREQUAL WHEELS OR NOT nvcc_of_system)
    find_package(Python COMPONENTS Interpreter QUIET)
    execute_process(COMMAND "${Python_EXECUTABLE}" -c "import nvidia; print(*(f'{folder}/cu13' for folder in nvidia.__path__), sep=';')"
      OUTPUT_VARIABLE wheel_folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    find_program(nvcc_of_wheels nvcc PATHS ${wheel_folders} PATH_SUFFIXES bin NO_DEFAULT_PATH)
    find_library(CUDA_CUDART NAMES libcudart.so.13 PATHS ${wheel_folders} PATH_SUFFIXES lib NO_DEFAULT_PATH)  # wheels have no libcudart.so
    if(nvcc_of_wheels)
      set(CMAKE_CUDA_COMPILER "${nvcc_of_wheels}")
      cmake_path(GET CUDA_CUDART PARENT_PATH wheel_libraries)
      set(ENV{LIBRARY_PATH} "${wheel_libraries}:$ENV{LIBRARY_PATH}")  # they lie in lib, and this nvcc looks in lib64
    elseif(PYENGINE_CUDA STREQUAL WHEELS)
      message(FATAL_ERROR "pyengine: no nvcc among the wheels of ${Python_EXECUTABLE}: PYENGINE_CUDA is WHEELS; install cuda-toolkit[nvcc,cudart,cccl]==13.0.*, or set the environment variable before pip, which then does")
    endif()
  endif()
endif()
check_language(CUDA)
