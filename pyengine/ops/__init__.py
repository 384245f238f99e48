"""Every op, one family a file: its forward and its vjp side by side."""

from pyengine.ops.activations import *
from pyengine.ops.affine import *
from pyengine.ops.attention import *
from pyengine.ops.comparison import *
from pyengine.ops.complex import *
from pyengine.ops.conv import *
from pyengine.ops.cross_entropy import *
from pyengine.ops.einsum import *
from pyengine.ops.elementwise import *
from pyengine.ops.functions import *
from pyengine.ops.gather import *
from pyengine.ops.in_place import *
from pyengine.ops.index import *
from pyengine.ops.linalg import *
from pyengine.ops.norm import *
from pyengine.ops.numpy_names import *
from pyengine.ops.padding import *
from pyengine.ops.pool import *
from pyengine.ops.random import *
from pyengine.ops.reduce import *
from pyengine.ops.scan import *
from pyengine.ops.selection import *
from pyengine.ops.sets import *
from pyengine.ops.shape import *
from pyengine.ops.softmax import *
from pyengine.ops.sort import *
