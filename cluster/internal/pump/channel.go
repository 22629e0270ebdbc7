package pump

// DefaultChannel is the channel of python-socketio. Flask-SocketIO's is "flask-socketio".
const DefaultChannel = "socketio"
